// Networks for ns-3, built with its helpers. Times in seconds, rates in bits per second.
#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-module.h"

#include <vector>

namespace crossprem_peer
{

using namespace ns3;

const char* const PORT_FREE = "1000000p";

// Links of a row of nodes, and addresses; queues without limit unless they are set later.
struct Network
{
    NodeContainer nodes;
    std::vector<NetDeviceContainer> links;
    std::vector<Ipv4InterfaceContainer> addresses;

    void Build(const std::vector<double>& rates_bps, const std::vector<double>& delays_s)
    {
        nodes.Create(delays_s.size() + 1);
        InternetStackHelper stack;
        stack.SetIpv6StackInstall(false);
        stack.Install(nodes);
        Ipv4AddressHelper address("10.0.0.0", "255.255.255.0");
        for (std::size_t i = 0; i < delays_s.size(); ++i)
        {
            PointToPointHelper link;
            link.SetDeviceAttribute("DataRate", DataRateValue(DataRate(uint64_t(rates_bps[i]))));
            link.SetChannelAttribute("Delay", TimeValue(Seconds(delays_s[i])));
            link.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue(PORT_FREE));
            links.push_back(link.Install(nodes.Get(i), nodes.Get(i + 1)));
            addresses.push_back(address.Assign(links[i]));
            // The queue of the device is the queue of the hop: no second one before it.
            TrafficControlHelper::Default().Uninstall(links[i]);
            address.NewNetwork();
        }
        Ipv4GlobalRoutingHelper::PopulateRoutingTables();
    }

    Ipv4Address Last() const
    {
        return addresses.back().GetAddress(1);
    }

    static void Run(double horizon_s)
    {
        Simulator::Stop(Seconds(horizon_s));
        Simulator::Run();
        Simulator::Destroy();
    }
};

// Poisson packets from the first node to the last one.
struct Chain
{
    static constexpr uint16_t PORT = 9;
    Network network;
    Ptr<Socket> source;
    Ptr<Socket> sink;
    Ptr<ExponentialRandomVariable> gap_s;
    uint32_t payload_bytes;
    uint32_t sent = 0;
    uint64_t received = 0;
    double delay_s = 0.0;

    Chain(std::vector<double> rates_bps,
          std::vector<double> delays_s,
          double packets_per_s,
          uint32_t payload_bytes_)
        : payload_bytes(payload_bytes_)
    {
        network.Build(rates_bps, delays_s);
        gap_s = CreateObject<ExponentialRandomVariable>();
        gap_s->SetAttribute("Mean", DoubleValue(1.0 / packets_per_s));
        sink = Socket::CreateSocket(network.nodes.Get(network.nodes.GetN() - 1),
                                    UdpSocketFactory::GetTypeId());
        sink->Bind(InetSocketAddress(Ipv4Address::GetAny(), PORT));
        sink->SetRecvCallback(MakeCallback(&Chain::Receive, this));
        source = Socket::CreateSocket(network.nodes.Get(0), UdpSocketFactory::GetTypeId());
        source->Connect(InetSocketAddress(network.Last(), PORT));
    }

    void Send()
    {
        SeqTsHeader stamp;
        stamp.SetSeq(sent++);
        Ptr<Packet> packet = Create<Packet>(payload_bytes - stamp.GetSerializedSize());
        packet->AddHeader(stamp);
        source->Send(packet);
        Simulator::Schedule(Seconds(gap_s->GetValue()), &Chain::Send, this);
    }

    void Receive(Ptr<Socket> socket)
    {
        while (Ptr<Packet> packet = socket->Recv())
        {
            SeqTsHeader stamp;
            packet->RemoveHeader(stamp);
            ++received;
            delay_s += (Simulator::Now() - stamp.GetTs()).GetSeconds();
        }
    }

    void run(double horizon_s)
    {
        Simulator::ScheduleWithContext(network.nodes.Get(0)->GetId(),
                                       Seconds(gap_s->GetValue()),
                                       &Chain::Send,
                                       this);
        Network::Run(horizon_s);
    }
};

// TCP flows from the first node through a router to the last one.
struct Bottleneck
{
    static constexpr uint16_t PORT = 9;
    Network network;
    ApplicationContainer sinks;

    // rates_bps: first link, bottleneck, and the bottleneck's link in the other direction.
    Bottleneck(std::vector<double> rates_bps,
               std::vector<double> delays_s,
               uint32_t buffer_bytes,
               uint32_t flows,
               uint32_t mss_bytes,
               uint32_t window_bytes,
               double stagger_s)
    {
        Config::SetDefault("ns3::TcpL4Protocol::SocketType", TypeIdValue(TcpCubic::GetTypeId()));
        Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(mss_bytes));
        Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(window_bytes));
        Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(window_bytes));
        network.Build(rates_bps, delays_s);
        Ptr<PointToPointNetDevice> bottleneck =
            network.links[1].Get(0)->GetObject<PointToPointNetDevice>();
        bottleneck->GetQueue()->SetMaxSize(QueueSize(QueueSizeUnit::BYTES, buffer_bytes));
        network.links[1].Get(1)->SetAttribute("DataRate",
                                              DataRateValue(DataRate(uint64_t(rates_bps[2]))));
        for (uint32_t i = 0; i < flows; ++i)
        {
            PacketSinkHelper sink("ns3::TcpSocketFactory",
                                  InetSocketAddress(Ipv4Address::GetAny(), PORT + i));
            sinks.Add(sink.Install(network.nodes.Get(2)));
            BulkSendHelper source("ns3::TcpSocketFactory",
                                  InetSocketAddress(network.Last(), PORT + i));
            // Else it writes 512 bytes at a time, and the sender's buffer is a list of such pieces.
            source.SetAttribute("SendSize", UintegerValue(mss_bytes));
            ApplicationContainer application = source.Install(network.nodes.Get(0));
            application.Start(Seconds(i * stagger_s));
        }
    }

    void run(double horizon_s)
    {
        Network::Run(horizon_s);
    }

    uint64_t received_bytes() const
    {
        uint64_t total = 0;
        for (uint32_t i = 0; i < sinks.GetN(); ++i)
        {
            total += sinks.Get(i)->GetObject<PacketSink>()->GetTotalRx();
        }
        return total;
    }
};

} // namespace crossprem_peer
